CREATE TABLE holding (
    customer_id uuid PRIMARY KEY,
    version     integer NOT NULL CHECK (version > 0),
    owner_id    uuid NOT NULL,
    is_key      boolean NOT NULL,
    entered_by  uuid,
    entered_on  date,
    CHECK ((entered_by IS NULL) = (entered_on IS NULL))
);
CREATE INDEX holding_owner ON holding (owner_id);
CREATE INDEX holding_entry ON holding (entered_by, entered_on);
COMMENT ON TABLE holding IS 'Who holds what, from the customers'' events; a newer version wins, whatever the order in which they come.';
COMMENT ON COLUMN holding.entered_on IS 'The day of entry in the agency''s time zone.';

CREATE TABLE contact (
    event_id     uuid PRIMARY KEY,
    person_id    uuid NOT NULL,
    customer_id  uuid NOT NULL,
    day          date NOT NULL,
    is_effective boolean NOT NULL
);
CREATE INDEX contact_day ON contact (person_id, day);
COMMENT ON TABLE contact IS 'One row for each contact note, counted once by its event''s id.';
