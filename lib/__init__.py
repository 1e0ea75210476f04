"""Library of the precursor compendium. Importing it does nothing: name the module you need."""
