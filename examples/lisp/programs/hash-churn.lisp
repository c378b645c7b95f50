; Tables that are filled, emptied and thrown away. Keys are strings, numbers and lists, by what or by where they are.

(define seed 1)
(define (random n)
  (set! seed (remainder (+ (* seed 1309) 13849) 65536))
  (remainder seed n))

(define counts (table))
(do-times (i 20000)
  (let ((key (string-append "k" (->string (random 500)))))
    (table-set! counts key (+ 1 (table-ref counts key 0)))))
(print (table-count counts) " keys, " (fold + 0 (map (lambda (key) (table-ref counts key)) (table-keys counts))))
(print "k42: " (table-ref counts "k42"))

(define sum 0)
(do-times (round 30)
  (let ((t (table)))
    (do-times (i 300) (table-set! t (* i round) i))
    (do-times (i 200) (table-remove! t (* i round)))
    (set! sum (+ sum (table-count t)))))
(print sum)

(define by-place (table))
(define list-a (list 1 2))
(table-set! by-place list-a "first")
(table-set! by-place (list 1 2) "second")
(gc)
(print (table-ref by-place list-a) " of " (table-count by-place))
