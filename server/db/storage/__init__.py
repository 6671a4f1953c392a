"""The connection to the file: transactions, the WAL, migrations, time. The only importer of the driver."""
