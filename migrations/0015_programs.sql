-- Who a program belongs to, how likely a risk is, and what tells a risk that was found from every other.
ALTER TABLE programs ADD COLUMN owner TEXT;
ALTER TABLE program_risks ADD COLUMN likelihood TEXT;
ALTER TABLE program_risks ADD COLUMN found_key TEXT;
CREATE UNIQUE INDEX program_risks_found ON program_risks (program_id, found_key);
CREATE INDEX programs_updated ON programs (workspace_id, updated_at, program_id);
