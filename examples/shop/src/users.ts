/** The shop's users. A real shop has an auth framework, which lets people sign up and keeps them in `kavach_users`. */
import type { SessionUser } from "@kavach-polar/http/Session"
import Database from "better-sqlite3"

export const users = [
  { id: "usr_1042", email: "ada.martin@acme-mail.dev", name: "Ada Martin" },
  { id: "usr_1043", email: "lin.osei@acme-mail.dev", name: "Lin Osei" }
] as const satisfies ReadonlyArray<SessionUser>

/** Puts them into the table, which is there once `polar()` has started. */
export const addUsers = (file: string): void => {
  const database = new Database(file)
  try {
    const insert = database.prepare(
      `INSERT INTO kavach_users (id, email, name, created_at, updated_at)
       VALUES (@id, @email, @name, unixepoch(), unixepoch()) ON CONFLICT DO NOTHING`
    )
    for (const user of users) insert.run(user)
  } finally {
    database.close()
  }
}
