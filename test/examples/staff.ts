/** Stands for your own sessions and roles: who of your team is it? */
export const staffOf = async (cookie: string | null | undefined) => {
  const name = /(?:^|;\s*)staff=([\w-]+)/.exec(cookie ?? "")?.[1]
  return name === undefined ? null : { name, isOnCall: name === "lin" }
}
