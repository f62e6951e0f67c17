"""The command: run the notebooks, keep a record, write the report."""
