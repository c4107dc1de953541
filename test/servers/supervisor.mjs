/**
 * Keeps one throw-away server for as long as somebody holds the other end of stdin, then stops exactly that server and
 * removes its folder: also when the test run is interrupted or dies. Told to "halt" it stops the server and keeps the
 * folder, until it is told to "resume". Told to "freeze" it leaves the server where it stands, with all its connections
 * open, until it is told to "thaw".
 */
import { execFileSync, spawn } from "node:child_process"
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

/** The server and the processes that it has started: PostgreSQL has one for each connection. The oldest come first. */
const family = () => {
  const lines = execFileSync("ps", ["-A", "-o", "pid=,ppid="], { encoding: "utf8" }).trim().split("\n")
  const pairs = lines.map((line) => line.trim().split(/\s+/).map(Number))
  const found = [server.pid]
  // A list that grows while it is walked.
  for (const parent of found) for (const [pid, of] of pairs) if (of === parent) found.push(pid)
  return found
}

const signal = (name) => {
  for (const pid of family()) {
    try {
      process.kill(pid, name)
    } catch {
      // It is gone by now.
    }
  }
}

let stopping = false
const stop = () => {
  if (stopping) return
  stopping = true
  if (halted) return finish(0)
  // A frozen process does not hear that it is to stop.
  signal("SIGCONT")
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
  if (message === "freeze") {
    signal("SIGSTOP")
    // Once more, for one that was started between the look and the signal to its parent.
    signal("SIGSTOP")
    process.send("frozen")
  }
  if (message === "thaw") {
    signal("SIGCONT")
    process.send("thawed")
  }
})
process.stdin.once("end", stop).once("close", stop).resume()
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(name, stop)
