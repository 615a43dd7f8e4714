-- A shop: purchases are never changed once they are made, and their total is the sum of their items.
CREATE TABLE purchase (id bigint PRIMARY KEY, customer text NOT NULL, total_cents bigint NOT NULL);
CREATE TABLE item (
  purchase bigint NOT NULL REFERENCES purchase,
  line int NOT NULL,
  article text NOT NULL,
  cents bigint NOT NULL,
  PRIMARY KEY (purchase, line)
);

CREATE PROCEDURE sell_one(number bigint) LANGUAGE sql AS $$
  INSERT INTO purchase SELECT number, 'customer ' || number % 97, 10 * (1 + 2 + 3 + 4) + 4 * (number % 50);
  INSERT INTO item SELECT number, line, md5(number || '/' || line), 10 * line + number % 50
    FROM generate_series(1, 4) AS line;
$$;

-- Sells for a while, one transaction each, as a busy shop does. The server may still be at it when its client is gone,
-- so one sale waits for the other.
CREATE PROCEDURE sell(how_long interval) LANGUAGE plpgsql AS $$
DECLARE
  closing timestamptz;
  next bigint;
BEGIN
  PERFORM pg_advisory_lock(1);
  closing := clock_timestamp() + how_long;
  SELECT coalesce(max(id), 0) + 1 INTO next FROM purchase;
  WHILE clock_timestamp() < closing LOOP
    CALL sell_one(next);
    COMMIT;
    next := next + 1;
  END LOOP;
  PERFORM pg_advisory_unlock(1);
END $$;

DO $$ BEGIN
  FOR number IN 1..20000 LOOP
    CALL sell_one(number);
  END LOOP;
END $$;
