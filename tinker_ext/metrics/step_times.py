"""The parts of the time of each step, read from the recording of the running program."""

from __future__ import annotations

from pathlib import Path

from tinker_ext.trace_report.recordings import RecordingTail
from tinker_ext.trace_report.summary import summarize


class StepTimes:
    """The times of steps, as metrics, from the recording of a program that uses `tinker.step`.

    Args:
        recording: the file of ``TINKER_EXT_TRACE``. Only lines written from now on are read.
    """

    def __init__(self, recording: Path) -> None:
        self._tail = RecordingTail(recording)

    def read(self) -> dict[str, float]:
        """The times of the step that ended last, in seconds; empty if none has ended since.

        ``time/step`` is the total. The other names are those of `tinker-ext trace summary`, such as
        ``time/server_compute``, ``time/network`` and ``time/your_own_code``; they add up to the
        total.
        """
        recording = self._tail.last_step()
        if recording is None:
            return {}
        summary = summarize(recording)
        times = {
            f"time/{category.value.replace(' ', '_')}": seconds
            for category, seconds in summary.seconds.items()
        }
        return {"time/step": summary.total, **times}
