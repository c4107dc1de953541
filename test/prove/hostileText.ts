/** Texts that mean something to whoever takes them for a part of a statement. */
import type { Random } from "./seeded.ts"

/** The last byte of several of these characters is a backslash in GBK, SJIS or Big5. */
export const hostilePieces: ReadonlyArray<string> = [
  ..."'\"`\\;?%_-#/*|&$@:(),",
  "''",
  "\\'",
  "' OR 1=1 -- ",
  "'); DROP TABLE kavach_polar_locks; -- ",
  "/*!50000 x */",
  "X'41'",
  "_utf8mb4",
  "NULL",
  "||",
  "é",
  "你'",
  "表'",
  "ソ\\",
  "縗'",
  "功\\'",
  "許'",
  "α",
  "Ж",
  "😀",
  "👩‍👩‍👧",
  " ",
  "a"
]

const further = [
  "'), ('injected', 'x', 'applied', 0, now(), now(), NULL, NULL, NULL, 1, NULL, NULL) -- ",
  "\\'); DELETE FROM kavach_polar_deliveries; -- ",
  "$kavach_polar$",
  "E'\\x27'"
]

const all = [...hostilePieces, ...further]

/** A few of them, one after the other. */
export const hostileText = (random: Random): string =>
  Array.from({ length: 1 + random.int(12) }, () => all[random.int(all.length)] ?? "").join("")
