"""The specification compiler: from official wheels to `openapi/` and the bindings.

    wheel/       reads a release: its source text becomes schemas and operations
    contract/    the contract of one release: the wheel's facts, completed by the overlay
    releases/    several contracts: their union, and the changes between them
    emit/        writes the bindings, the reports and the other formats
    commands/    the command line, one module per command (`python -m codegen`)
    build        the order of these steps
    lock         hashes of the wheels, files and tools that were used
    documents    reads and writes documents in one canonical form
    json_schema  JSON Schema values and their operations
    openapi      walks an OpenAPI document

The code of a wheel is read as syntax trees and never executed.
"""
