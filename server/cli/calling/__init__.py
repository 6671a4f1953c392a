"""Any action of the catalog from a terminal: `call`, and the completion of what is typed."""
