; What is equal is one key of a table, and what nobody can tell is an error.

(define t (table))
(table-set! t 0.0 'zero)
(table-set! t -0.0 'also)
(print (equal? 0.0 -0.0) " " (table-count t) " " (table-ref t 0.0) " " (table-ref t -0.0))
(table-set! t 1.5 'float)
(table-set! t "1.5" 'string)
(table-set! t 2 'integer)
(print (table-ref t (* 0.5 3)) " " (table-ref t (string-append "1" ".5")) " " (table-ref t 2) " " (table-ref t 2.0))

(define (nest n) (let loop ((i 0) (l '())) (if (= i n) l (loop (+ i 1) (vector (list l))))))
(print (equal? (nest 90) (nest 90)) " " (equal? (nest 90) (nest 91)))
(print (guard (e (error-message e)) (equal? (nest 200) (nest 200))))
(print (equal? (iota 5000) (iota 5000)) " " (equal? (vector 1 '(2 "x") 0.5) (vector 1 '(2 "x") 0.5)))
(print (member '(2) '((1) (2) (3))) " " (assoc "b" '(("a" . 1) ("b" . 2))))
