/** The variables that a child process gets: all but the credentials themselves, which only this process may read. */
export function childEnv(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { SIDEMINT_CREDENTIALS: _, ...others } = env
  return others
}
