import collections
import json
import re

d = {str(i): {"a": [i] * 3, "b": str(i) * 4} for i in range(5000)}
s = json.dumps(d)
e = json.loads(s)
c = collections.Counter(re.findall(r"\d+", s))
print(len(c), sorted(c.items())[:3])
