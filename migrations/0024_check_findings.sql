-- What the last look of a server at the store found: a page shows it without looking anew.
CREATE TABLE check_findings (
    name TEXT NOT NULL,
    what TEXT NOT NULL,
    severity TEXT NOT NULL,
    why TEXT NOT NULL,
    command TEXT,
    advice TEXT,
    found_at TEXT NOT NULL,
    PRIMARY KEY (name, what)
) STRICT;
