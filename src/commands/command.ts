/** What the command line gives to a command, and what it wants of one. */

export interface Io {
  env: NodeJS.ProcessEnv
  stdout: { write(text: string): unknown; isTTY?: boolean }
  stderr: { write(text: string): unknown; isTTY?: boolean }
  /** All that is written to stdin, once it has ended. */
  readStdin(): Promise<string>
  /** The variables that point clients at a metadata server, which were taken out of `env`. */
  pointers: Readonly<Record<string, string>>
  /**
   * Resolves with the name of the first signal that asks to stop. A command that never calls it is ended by the signal
   * itself, and so is one that gets a second signal.
   */
  stopSignal(): Promise<string>
  /** Calls the reader with every rejection and exception that no code catches; without a reader they end the process. */
  onFault?(reader: (thrown: unknown) => void): void
}

export interface Command {
  /** Data on `stdout`, talk on `stderr`. Returns the exit code. */
  run(argv: readonly string[], io: Io): Promise<number>
  help(): string
}
