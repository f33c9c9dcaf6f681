-- Load for the demo: wrk -t1 -c16 -d5s -s photo.lua http://127.0.0.1:8000/classify -- coffee.png
function init(arguments)
  local photo = assert(io.open(arguments[1], "rb"))
  wrk.method = "POST"
  wrk.body = photo:read("*a")
  wrk.headers["Content-Type"] = "image/png"
  photo:close()
end
