-- Jobs that one process does at a time, such as the comparison of all subscriptions with Polar's.
CREATE TABLE kavach_polar_jobs (
  name TEXT NOT NULL PRIMARY KEY,
  -- who does it now, and until when nobody else may; both NULL when nobody does
  owner TEXT,
  lease_until TEXT,
  -- where it stands as JSON, NULL when it is not under way
  position TEXT,
  started_at TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  -- when it was last done to the end, and what it reported then as JSON
  finished_at TEXT,
  report TEXT
) STRICT;

CREATE INDEX kavach_polar_subscriptions_unlinked ON kavach_polar_subscriptions (id) WHERE user_id IS NULL;
