/**
 * Keeps one throw-away server for as long as somebody holds the other end of stdin, then stops exactly that server and
 * removes its folder: also when the test run is interrupted or dies. Told to "halt" it stops the server and keeps the
 * folder, until it is told to "resume".
 */
import { spawn } from "node:child_process"
import { rmSync } from "node:fs"

const { args, command, folder, gid, stopSignal, uid } = JSON.parse(process.argv[2])

const start = () => {
  const started = spawn(command, args, { cwd: folder, stdio: ["ignore", "inherit", "inherit"], uid, gid })
  started.once("error", (error) => {
    process.stderr.write(`${error.message}\n`)
    finish(1)
  })
  started.once("exit", (code) => {
    if (!halting || stopping) return finish(stopping ? 0 : (code ?? 1))
    halted = true
    process.send("halted")
  })
  return started
}

let halting = false
let halted = false
const finish = (code) => {
  rmSync(folder, { recursive: true, force: true })
  process.exit(code)
}

let stopping = false
const stop = () => {
  if (stopping) return
  stopping = true
  if (halted) return finish(0)
  server.kill(stopSignal)
  setTimeout(() => server.kill("SIGKILL"), 10_000).unref()
}

let server = start()
process.on("message", (message) => {
  if (message === "halt") {
    halting = true
    server.kill(stopSignal)
  }
  if (message === "resume") {
    halting = false
    halted = false
    server = start()
  }
})
process.stdin.once("end", stop).once("close", stop).resume()
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, stop)
