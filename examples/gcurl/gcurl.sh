# For a shell's start-up file. In place of the alias that many teams have, which wants gcloud and a login:
#   alias gcurl='curl -H "Authorization: Bearer $(gcloud auth print-identity-token)"'
#
#   gcurl http://localhost:8080/entries -d @entry.json    # the URL first, then whatever curl takes
alias gcurl='sidemint curl'
