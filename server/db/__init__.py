"""The data-access layer: the only importer of the driver, one module a table family."""
