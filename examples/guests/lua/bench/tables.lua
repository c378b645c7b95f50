-- Tables that grow, are emptied and grow again: large blocks that are made longer again and again.
local n, sum = tonumber(arg and arg[1]) or 40, 0
for round = 1, n do
  local array, map = {}, {}
  for i = 1, 20000 do array[i] = i * round end
  for i = 1, 10000 do map["key" .. i] = i end
  for i = 1, 10000, 3 do map["key" .. i] = nil end
  table.sort(array, function(a, b) return a > b end)
  for _, value in pairs(map) do sum = sum + value end
  sum = sum + array[1] + #array
end
print(sum)
