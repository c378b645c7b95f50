; A float is read again as what it was, and never as an integer.

(define (again x) (let ((y (string->number (->string x)))) (and (float? y) (= x y))))
(define numbers '(0.0 1.5 3e9 -3e9 1e15 1e16 123456789012.0 1e20 1e22 1e100 1e308 1.7976931348623157e308 0.1 1e-5 1e-7
                  2.2250738585072014e-308 5e-324 -5e-324 4611686018427387904.0 9007199254740993.0))
(print (filter (lambda (x) (not (again x))) numbers))
(print numbers)
(print (list -0.0 (/ 1 0.0) (/ -1 0.0) (/ 0 0.0)))
(print (map (lambda (x) (let ((root (sqrt x))) (* root root))) '(4 1e300 1e-300 0.0)))
(print (map sqrt '(2 16.0 5e-324 1e-310 1e308 -1)))
