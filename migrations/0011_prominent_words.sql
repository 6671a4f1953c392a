-- What a document is about is among its facets: all are looked at anew, in the order in which they were written. Those
-- that change keep their numbers, so the search goes on meanwhile.
INSERT INTO search_backlog (entity_id, kind) SELECT entity_id, kind FROM search_documents ORDER BY doc;
