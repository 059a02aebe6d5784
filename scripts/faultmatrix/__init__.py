"""Operations x faults: see scripts/fault_matrix.py."""
