-- Strings of all lengths, made, joined and dropped.
local n = tonumber(arg and arg[1]) or 300000
local parts, total = {}, 0
for i = 1, n do
  parts[#parts + 1] = ("%d:%s"):format(i, ("x"):rep(i % 97))
  if #parts == 1000 then
    total = total + #table.concat(parts, ",")
    parts = {}
  end
end
local text = ""
for i = 1, 4000 do text = text .. i end
print(total, #text, (text:gsub("1", "one")):len(), text:reverse():sub(1, 8))
