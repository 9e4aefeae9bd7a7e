/** What a command gets from the command line, and what it must have. */

export interface Io {
  env: NodeJS.ProcessEnv
  stdout: { write(text: string): unknown; isTTY?: boolean }
  stderr: { write(text: string): unknown; isTTY?: boolean }
  /** All of stdin, once it has ended; or more than `most` characters of it (default: no limit), and then no more is read. */
  readStdin(most?: number): Promise<string>
  /** Whether somebody types there. */
  stdinIsTerminal?: boolean
  /** The variables that point clients at a metadata server, which were taken out of `env`. */
  pointers: Readonly<Record<string, string>>
  /**
   * Resolves with the name of the first signal that asks to stop. The signal itself ends a command that never calls this,
   * and a second signal ends any.
   */
  stopSignal(): Promise<string>
  /** Calls the reader with every rejection and exception that nothing catches; without a reader they end the process. */
  onFault?(reader: (thrown: unknown) => void): void
}

export interface Command {
  /** Writes data to `stdout` and everything else to `stderr`. Returns the exit code. */
  run(argv: readonly string[], io: Io): Promise<number>
  help(): string
}
