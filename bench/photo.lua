-- One photo, sent over and over: `wrk ... -s photo.lua URL -- FILE`.
-- Sent from where echo.lua lies, whose figures these are too.
dofile("echo.lua")
wrk.headers["Content-Type"] = "image/jpeg"

function init(arguments)
  local photo = assert(io.open(arguments[1], "rb"))
  wrk.body = photo:read("*a")
  photo:close()
end
