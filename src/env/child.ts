/** The variables for a child process: all but SIDEMINT_CREDENTIALS, which only this process may read. */
export function childEnv(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { SIDEMINT_CREDENTIALS: _, ...others } = env
  return others
}
