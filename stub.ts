export const layer = () => {
  throw new Error("stub")
}
export const fromDrizzle = layer
export const MysqlStore = { layer }
export const PostgresStore = { layer }
