/** The child's end of the channel. */

/** Says that the process is ready, then answers questions until the other end is gone. */
export const answerQuestions = <Question>(
  answer: (question: Question) => unknown,
  close: () => Promise<void> | void
): void => {
  const send = (message: object) => process.send?.(message)
  process.on("message", async (question: Question) => {
    try {
      send({ answer: await answer(question) })
    } catch (error) {
      send({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) })
    }
  })
  process.once("disconnect", async () => {
    await close()
    process.exit(0)
  })
  send({ answer: "ready" })
}

/** The settings that the process was started with. */
export const settingsOf = <Settings>(): Settings => JSON.parse(process.argv[2] ?? "{}")
