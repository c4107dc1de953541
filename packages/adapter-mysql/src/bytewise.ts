/**
 * How the store's tables keep text: compared byte by byte, trailing spaces included, because ids differ by case. Both servers can
 * do that, and call it by different names: a comment that begins with a number is run by MySQL, and one that begins with M by
 * MariaDB.
 */
export const characterSet =
  "CHARACTER SET utf8mb4 /*!80000 COLLATE utf8mb4_0900_bin */ /*M! COLLATE utf8mb4_nopad_bin */"

export const bytewise = `ENGINE = InnoDB DEFAULT ${characterSet}`

/** As `information_schema` names these. */
export const bytewiseCollations: ReadonlyArray<string> = ["utf8mb4_0900_bin", "utf8mb4_nopad_bin"]
