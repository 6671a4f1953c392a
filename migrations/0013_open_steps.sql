-- How many steps of a plan are open, kept by triggers whoever writes: nobody who asks has to count. A plan that comes
-- with a count of its own (from the archive, the trash, or a file) has it counted anew.
ALTER TABLE plans ADD COLUMN open_steps INTEGER NOT NULL DEFAULT 0;
ALTER TABLE plans_archive ADD COLUMN open_steps INTEGER;
UPDATE plans SET open_steps = (
    SELECT count(*) FROM steps s
    WHERE s.plan_id = plans.plan_id AND s.status NOT IN ('done', 'cancelled')
);
UPDATE plans_archive SET open_steps = (
    SELECT count(*) FROM steps_archive s
    WHERE s.plan_id = plans_archive.plan_id AND s.status NOT IN ('done', 'cancelled')
);

CREATE TRIGGER plans_insert_open AFTER INSERT ON plans BEGIN
    UPDATE plans SET open_steps = (
        SELECT count(*) FROM steps s WHERE s.plan_id = NEW.plan_id AND s.status NOT IN ('done', 'cancelled')
    ) WHERE plan_id = NEW.plan_id;
END;
CREATE TRIGGER steps_insert_open AFTER INSERT ON steps
WHEN NEW.status NOT IN ('done', 'cancelled') BEGIN
    UPDATE plans SET open_steps = open_steps + 1 WHERE plan_id = NEW.plan_id;
END;
CREATE TRIGGER steps_delete_open AFTER DELETE ON steps
WHEN OLD.status NOT IN ('done', 'cancelled') BEGIN
    UPDATE plans SET open_steps = open_steps - 1 WHERE plan_id = OLD.plan_id;
END;
CREATE TRIGGER steps_update_open AFTER UPDATE OF status ON steps
WHEN NEW.plan_id = OLD.plan_id AND (NEW.status IN ('done', 'cancelled')) <> (OLD.status IN ('done', 'cancelled')) BEGIN
    UPDATE plans SET open_steps = open_steps + CASE WHEN NEW.status IN ('done', 'cancelled') THEN -1 ELSE 1 END
    WHERE plan_id = NEW.plan_id;
END;
CREATE TRIGGER steps_moved_open AFTER UPDATE OF plan_id ON steps
WHEN NEW.plan_id IS NOT OLD.plan_id BEGIN
    UPDATE plans SET open_steps = open_steps - (OLD.status NOT IN ('done', 'cancelled')) WHERE plan_id = OLD.plan_id;
    UPDATE plans SET open_steps = open_steps + (NEW.status NOT IN ('done', 'cancelled')) WHERE plan_id = NEW.plan_id;
END;

CREATE TRIGGER plans_archive_insert_open AFTER INSERT ON plans_archive BEGIN
    UPDATE plans_archive SET open_steps = (
        SELECT count(*) FROM steps_archive s WHERE s.plan_id = NEW.plan_id AND s.status NOT IN ('done', 'cancelled')
    ) WHERE plan_id = NEW.plan_id;
END;
CREATE TRIGGER steps_archive_insert_open AFTER INSERT ON steps_archive
WHEN NEW.status NOT IN ('done', 'cancelled') BEGIN
    UPDATE plans_archive SET open_steps = open_steps + 1 WHERE plan_id = NEW.plan_id;
END;
CREATE TRIGGER steps_archive_delete_open AFTER DELETE ON steps_archive
WHEN OLD.status NOT IN ('done', 'cancelled') BEGIN
    UPDATE plans_archive SET open_steps = open_steps - 1 WHERE plan_id = OLD.plan_id;
END;
CREATE TRIGGER steps_archive_update_open AFTER UPDATE OF status ON steps_archive
WHEN NEW.plan_id = OLD.plan_id AND (NEW.status IN ('done', 'cancelled')) <> (OLD.status IN ('done', 'cancelled')) BEGIN
    UPDATE plans_archive SET open_steps = open_steps + CASE WHEN NEW.status IN ('done', 'cancelled') THEN -1 ELSE 1 END
    WHERE plan_id = NEW.plan_id;
END;
CREATE TRIGGER steps_archive_moved_open AFTER UPDATE OF plan_id ON steps_archive
WHEN NEW.plan_id IS NOT OLD.plan_id BEGIN
    UPDATE plans_archive SET open_steps = open_steps - (OLD.status NOT IN ('done', 'cancelled')) WHERE plan_id = OLD.plan_id;
    UPDATE plans_archive SET open_steps = open_steps + (NEW.status NOT IN ('done', 'cancelled')) WHERE plan_id = NEW.plan_id;
END;
