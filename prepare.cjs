/** What `npm ci` in a clone and `npm install` of a git URL end with: the Node.js that runs the sources, and `dist/`. */

'use strict'
const { execSync } = require('node:child_process')

/** npm ends with what it says it did, which nobody asked for here; what goes wrong is on stderr. */
const npm = (command) => execSync(`npm ${command}`, { stdio: ['ignore', 'ignore', 'inherit'] })

if (Number(process.versions.node.split('.')[0]) < 24) npm('install --no-save --no-package-lock node@24.21.0')
npm('run build')
