"""Commands that read the ledger: units and their stories."""
