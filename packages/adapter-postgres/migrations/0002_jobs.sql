-- Jobs that one process does at a time, such as the comparison of all subscriptions with Polar's.
CREATE TABLE kavach_polar_jobs (
  name text COLLATE "C" NOT NULL PRIMARY KEY,
  -- who does it now, and until when nobody else may; both NULL when nobody does
  owner text COLLATE "C",
  lease_until timestamptz(3),
  -- where it stands as JSON, NULL when it is not under way
  position text,
  started_at timestamptz(3) NOT NULL,
  updated_at timestamptz(3) NOT NULL,
  -- when it was last done to the end, and what it reported then as JSON
  finished_at timestamptz(3),
  report text
);

CREATE INDEX kavach_polar_subscriptions_unlinked ON kavach_polar_subscriptions (id) WHERE user_id IS NULL;
