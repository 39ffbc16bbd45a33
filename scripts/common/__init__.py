"""What every step stands on: paths, errors, tables, hardware names, provenance, progress. No heavy imports."""
