/** A line with a button that copies it. */

import { useState } from 'preact/hooks'

const SHOWN_MS = 1_500

interface Props {
  text: string
  /** What it is, for who does not see it. */
  label: string
  word?: string
}

export function CopyButton({ text, label, word = 'copy' }: Props) {
  const [said, setSaid] = useState('')
  const copy = async () => {
    setSaid(await write(text))
    setTimeout(() => setSaid(''), SHOWN_MS)
  }
  return (
    <button type="button" class="copy" onClick={copy}>
      <span aria-live="polite">{said || word}</span>
      <span class="hidden"> {label}</span>
    </button>
  )
}

export function Line({ text, label }: Omit<Props, 'word'>) {
  return (
    <div class="line">
      <code>{text}</code>
      <CopyButton text={text} label={label} />
    </div>
  )
}

/** Browsers give the clipboard only to HTTPS and to the loopback; elsewhere the older way still works. */
async function write(text: string): Promise<string> {
  try {
    await navigator.clipboard.writeText(text)
    return 'copied'
  } catch {
    const area = document.createElement('textarea')
    area.value = text
    document.body.append(area)
    area.select()
    const done = document.execCommand('copy')
    area.remove()
    return done ? 'copied' : 'not copied'
  }
}
