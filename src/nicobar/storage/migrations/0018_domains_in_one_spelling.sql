-- One person, one customer: domains of e-mail addresses compare in the spelling that people read, as `email_key` writes
-- them from now on. Addresses that were stored in the ASCII spelling (`xn--...`) get the key of that form. Where both
-- spellings are customers already, the one in ASCII keeps its old key: both keep their payments, and new payments in
-- either spelling go to the other one.

CREATE FUNCTION pg_temp.label_in_unicode(label text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    coded text := substr(label, 5);
    letters int[] := '{}';
    code int := 128;
    place int := 0;
    bias int := 72;
    cut int := length(coded) - position('-' IN reverse(coded)) + 1;
    next int := 1;
    digit int;
    old_place int;
    weight int;
    step int;
    threshold int;
    delta int;
    turns int;
BEGIN
    IF position('-' IN coded) > 0 THEN
        SELECT array_agg(ascii(letter) ORDER BY ordinal) INTO letters
        FROM unnest(string_to_array(left(coded, cut - 1), NULL)) WITH ORDINALITY AS basic (letter, ordinal);
        letters := coalesce(letters, '{}');
        next := cut + 1;
    END IF;
    WHILE next <= length(coded) LOOP
        old_place := place;
        weight := 1;
        step := 36;
        LOOP
            digit := position(substr(coded, next, 1) IN 'abcdefghijklmnopqrstuvwxyz0123456789') - 1;
            IF digit < 0 OR next > length(coded) THEN
                RETURN label;
            END IF;
            next := next + 1;
            place := place + digit * weight;
            threshold := least(greatest(step - bias, 1), 26);
            EXIT WHEN digit < threshold;
            weight := weight * (36 - threshold);
            step := step + 36;
        END LOOP;
        turns := coalesce(array_length(letters, 1), 0) + 1;
        delta := CASE old_place WHEN 0 THEN place / 700 ELSE (place - old_place) / 2 END;
        delta := delta + delta / turns;
        step := 0;
        WHILE delta > 455 LOOP
            delta := delta / 35;
            step := step + 36;
        END LOOP;
        bias := step + 36 * delta / (delta + 38);
        code := code + place / turns;
        place := place % turns;
        letters := letters[:place] || code || letters[place + 1:];
        place := place + 1;
    END LOOP;
    RETURN (SELECT string_agg(chr(letter), '' ORDER BY ordinal)
            FROM unnest(letters) WITH ORDINALITY AS found (letter, ordinal));
EXCEPTION WHEN others THEN
    RETURN label; -- no code of a letter: such a name was never a domain
END
$$;

UPDATE customers c SET email_key = given.email_key
FROM (
    SELECT business_id, mode, customer_id,
           left(email_key, -length(split_part(email_key, '@', -1))) || (
               SELECT string_agg(
                   CASE WHEN label LIKE 'xn--%' THEN pg_temp.label_in_unicode(label) ELSE label END, '.' ORDER BY ordinal)
               FROM unnest(string_to_array(split_part(email_key, '@', -1), '.')) WITH ORDINALITY
                   AS labels (label, ordinal)) AS email_key
    FROM customers
    WHERE email_key LIKE '%@%xn--%'
) AS given
WHERE c.business_id = given.business_id AND c.mode = given.mode AND c.customer_id = given.customer_id
  AND NOT EXISTS (
      SELECT FROM customers o
      WHERE o.business_id = c.business_id AND o.mode = c.mode AND o.email_key = given.email_key);

DROP FUNCTION pg_temp.label_in_unicode(text);
