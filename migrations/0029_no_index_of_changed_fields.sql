-- Nothing asks for the changes of a field of a whole workspace: they are read by what they are about.
DROP INDEX field_changes_field;
