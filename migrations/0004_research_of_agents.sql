-- An agent is a name within its workspace, so two workspaces may each have a file of one name for an agent of one name.
DROP INDEX research_documents_parent;
CREATE UNIQUE INDEX research_documents_parent ON research_documents (workspace_id, parent_type, parent_id, filename);
CREATE INDEX research_documents_of ON research_documents (parent_type, parent_id);
