-- Jobs that one process does at a time, such as the comparison of all subscriptions with Polar's.
CREATE TABLE IF NOT EXISTS kavach_polar_jobs (
  name VARCHAR(64) NOT NULL,
  -- who does it now, and until when nobody else may; both NULL when nobody does
  owner VARCHAR(255),
  lease_until DATETIME(6),
  -- where it stands as JSON, NULL when it is not under way
  position LONGTEXT,
  started_at DATETIME(6) NOT NULL,
  updated_at DATETIME(6) NOT NULL,
  -- when it was last done to the end, and what it reported then as JSON
  finished_at DATETIME(6),
  report LONGTEXT,
  PRIMARY KEY (name)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4
  /*!80000 COLLATE utf8mb4_0900_bin */ /*M! COLLATE utf8mb4_nopad_bin */;
