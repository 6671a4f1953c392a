"""Actions as forms: what is asked for, what there is to choose from, and what a person typed means."""
