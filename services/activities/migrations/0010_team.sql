-- Notes of colleagues who work on a customer that somebody else holds.

ALTER TABLE contact_note ADD COLUMN part text CHECK (part IN ('account_manager', 'support', 'presales', 'other'));
COMMENT ON COLUMN contact_note.part IS
    'Of an author who was a collaborator: such a note is no contact of the holder''s, so the follow-up does not know it.';
