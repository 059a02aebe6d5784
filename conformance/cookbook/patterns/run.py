"""Run the call patterns of some modules and print a line of JSON for each: `run.py MODULE ...`.

TINKER_BASE_URL and TINKER_API_KEY name the server. Runs with whichever package `import tinker`
means.
"""

import asyncio
import importlib
import inspect
import json
import sys
import traceback


def patterns(module):
    """The functions without parameters that have a docstring, by name."""
    return {
        name: function
        for name, function in vars(module).items()
        if inspect.isfunction(function)
        and function.__module__ == module.__name__
        and function.__doc__
        and not inspect.signature(function).parameters
    }


def error_of(function):
    """The error with the line that raised it; None if the pattern holds."""
    try:
        if inspect.iscoroutinefunction(function):
            asyncio.run(function())
        else:
            function()
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        lines = [frame.lineno for frame in frames if frame.filename == inspect.getfile(function)]
        return f"{type(error).__name__}: {error} (line {lines[-1]})"
    return None


def main():
    for module in sys.argv[1:]:
        for name, function in patterns(importlib.import_module(module)).items():
            print(json.dumps({"pattern": name, "error": error_of(function)}), flush=True)


if __name__ == "__main__":
    main()
