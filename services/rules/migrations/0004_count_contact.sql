CREATE FUNCTION count_contact(
    an_event uuid, an_agency uuid, a_person uuid, a_customer uuid, a_holding integer, a_moment timestamptz, a_day date, effective boolean
) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM lock_customer(a_customer);
    INSERT INTO contact (event_id, agency_id, person_id, customer_id, holding, written_at, day, is_effective)
    VALUES (an_event, an_agency, a_person, a_customer, a_holding, a_moment, a_day, effective)
    ON CONFLICT (event_id) DO NOTHING;
    RETURN EXISTS (SELECT FROM deadline WHERE customer_id = a_customer);
END $$;
COMMENT ON FUNCTION count_contact IS
    'Locks a customer, counts a contact once, though all events be asked for again, and says whether there are deadlines that it may
    meet: each in a snapshot of its own, in one round trip.';
