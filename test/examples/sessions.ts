/** Stands for your own sessions: whose cookie is it? */
export const userOf = async (cookie: string | null | undefined) => {
  const id = /(?:^|;\s*)session=([\w-]+)/.exec(cookie ?? "")?.[1]
  return id === undefined ? null : { id, email: `${id}@example.com` }
}
