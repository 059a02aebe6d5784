#!/bin/sh
# Print the Python interpreters from 3.11 on that can make a virtual environment here, the oldest
# first: those on PATH and those that pyenv has installed, one for each minor version.
set -u

describe='
import sys, ensurepip, venv
major, minor, micro = sys.version_info[:3]
if (major, minor) >= (3, 11):
    print(f"{major:02}.{minor:02}\t{micro:03}\t{sys._base_executable}")
'

candidates() {
    printf '%s\n' "${PYENV_ROOT:-$HOME/.pyenv}"/versions/*/bin/python3
    printf '%s:' "$PATH" | tr ':' '\n' | while read -r folder; do
        printf '%s\n' "$folder"/python3 "$folder"/python3.[1-9][0-9]
    done
}

# Some candidates do not run: patterns that match nothing, and commands of pyenv whose version is not
# the chosen one. Of two with the same minor version the newer one is printed.
candidates | while read -r python; do
    "$python" -c "$describe" 2> /dev/null < /dev/null
done | sort -r | awk -F '\t' '!seen[$1]++' | sort | cut -f 3
