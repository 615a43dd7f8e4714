-- Fails unless every purchase has all its items; otherwise reports how many purchases there are.
DO $$ BEGIN
  IF EXISTS (
    SELECT FROM purchase
    WHERE total_cents IS DISTINCT FROM (SELECT sum(cents) FROM item WHERE item.purchase = purchase.id)
  ) THEN
    RAISE EXCEPTION 'a purchase differs from the sum of its items';
  END IF;
END $$;
SELECT '###Phase-output###: ' || json_build_object('key', 'purchases', 'value', count(*)::text) FROM purchase;
