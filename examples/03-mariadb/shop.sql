-- A shop: purchases are never changed once they are made, and their total is the sum of their items.
CREATE DATABASE shop;
USE shop;
CREATE TABLE purchase (id bigint PRIMARY KEY, customer varchar(40) NOT NULL, total_cents bigint NOT NULL);
CREATE TABLE item (
  purchase bigint NOT NULL REFERENCES purchase (id),
  line int NOT NULL,
  article char(32) NOT NULL,
  cents bigint NOT NULL,
  PRIMARY KEY (purchase, line)
);

DELIMITER ;;
CREATE PROCEDURE sell_one(number bigint)
BEGIN
  INSERT INTO purchase VALUES (number, concat('customer ', number % 97), 10 * (1 + 2 + 3 + 4) + 4 * (number % 50));
  INSERT INTO item SELECT number, seq, md5(concat(number, '/', seq)), 10 * seq + number % 50 FROM seq_1_to_4;
END;;

-- Sells for a while, one transaction each, as a busy shop does. The server may still be at it when its client is gone,
-- so one sale waits for the other.
CREATE PROCEDURE sell(seconds double)
BEGIN
  DECLARE closing datetime(6);
  DECLARE number bigint;
  DO get_lock('sell', 60);
  SET closing = sysdate(6) + INTERVAL seconds * 1000000 MICROSECOND;
  SET number = (SELECT coalesce(max(id), 0) + 1 FROM purchase);
  WHILE sysdate(6) < closing DO
    START TRANSACTION;
    CALL sell_one(number);
    COMMIT;
    SET number = number + 1;
  END WHILE;
  DO release_lock('sell');
END;;

CREATE PROCEDURE check_books()
BEGIN
  DECLARE wrong bigint DEFAULT (
    SELECT count(*) FROM purchase
    WHERE total_cents <> (SELECT coalesce(sum(cents), 0) FROM item WHERE item.purchase = purchase.id)
  );
  IF wrong > 0 THEN
    SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'a purchase differs from the sum of its items';
  END IF;
  SELECT concat('###Phase-output###: ', json_object('key', 'purchases', 'value', cast(count(*) AS char))) FROM purchase;
END;;

CREATE PROCEDURE open_the_shop()
BEGIN
  START TRANSACTION;
  FOR number IN 1..10000 DO
    CALL sell_one(number);
  END FOR;
  COMMIT;
END;;
DELIMITER ;

CALL open_the_shop();
