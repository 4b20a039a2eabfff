"""From a declaration to records: plan -> execute -> record."""
