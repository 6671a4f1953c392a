-- Which steps and phases require gates is asked whenever a gate says something: few of them do.
CREATE INDEX steps_gated ON steps (plan_id) WHERE required_gates <> '[]';
CREATE INDEX phases_gated ON phases (plan_id) WHERE required_gates <> '[]';
